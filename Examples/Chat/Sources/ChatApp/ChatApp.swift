// The conversation in a window. Not yet run on hardware.

#if canImport(SwiftUI)
  import ChatModel
  import SwiftUI
  import UniformTypeIdentifiers

  @main
  struct ChatApp: App {
    @State private var chat = ChatModel()

    var body: some Scene {
      WindowGroup("Orion") { ChatView(chat: chat).frame(minWidth: 480, minHeight: 360) }
    }
  }

  struct ChatView: View {
    @Bindable var chat: ChatModel
    @State private var draft = ""
    @State private var isPicking = false
    @State private var answer: Task<Void, Never>?

    var body: some View {
      VStack(spacing: 8) {
        bar
        ScrollView {
          LazyVStack(alignment: .leading, spacing: 8) {
            ForEach(chat.messages) { message in
              Text(message.text)
                .textSelection(.enabled)
                .foregroundStyle(message.isAnswer ? .primary : .secondary)
            }
          }.frame(maxWidth: .infinity, alignment: .leading)
        }
        if let fault = chat.fault { Text(fault).foregroundStyle(.red) }
        field
      }.padding()
    }

    private var bar: some View {
      HStack {
        Button("Model…") { isPicking = true }
          .fileImporter(isPresented: $isPicking, allowedContentTypes: [.folder]) { result in
            guard case .success(let folder) = result else { return }
            Task { await chat.open(bundle: folder.path) }
          }
        Picker("Adapter", selection: $chat.options.adapter) {
          Text("None").tag(String?.none)
          ForEach(chat.adapters, id: \.self) { Text($0).tag(String?.some($0)) }
        }.fixedSize().disabled(chat.adapters.isEmpty)
        Picker("Turns", selection: $chat.format) {
          ForEach(TurnFormat.all, id: \.self) { Text($0.name) }
        }.fixedSize()
        Spacer()
        Text(chat.device.isEmpty ? "no model" : chat.device)
        Text("\(chat.tokensPerSecond, format: .number.precision(.fractionLength(1))) tokens/s")
      }
    }

    private var field: some View {
      HStack {
        TextField("Say something", text: $draft).onSubmit(send)
        if chat.isAnswering {
          Button("Stop") { answer?.cancel() }
        } else {
          Button("Send", action: send).disabled(draft.isEmpty || chat.device.isEmpty)
        }
      }
    }

    private func send() {
      let text = draft
      guard !text.isEmpty, !chat.isAnswering else { return }
      draft = ""
      answer = Task { await chat.send(text) }
    }
  }
#else
  @main
  struct ChatApp {
    static func main() { print("The window needs SwiftUI; run ChatTerminal here.") }
  }
#endif
