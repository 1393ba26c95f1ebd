// A conversation in the terminal. Answers go to standard output, all else to standard error.

import ChatModel
import OrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

let help = """
  ChatTerminal BUNDLE [--device NAME] [--adapter NAME=DIRECTORY] [--use NAME] [--max-tokens N]
      [--temp T] [--top-p P] [--seed N] [--stop TEXT] [--format plain|chatml|llama3] [--prompt TEXT]
  Say something; /adapter NAME, /adapter, /device, /reset and /quit are commands.
  With --prompt it answers once and ends.

  """

func note(_ text: String) { _ = text.withCString { write(2, $0, strlen($0)) } }

func fail(_ text: String, _ code: Int32) -> Never {
  note("ChatTerminal: \(text)\n")
  exit(code)
}

var settings = Settings()
do { settings = try Settings(CommandLine.arguments.dropFirst()) } catch {
  note(help)
  fail(error.message, 2)
}

let chat = ChatModel()
await chat.open(bundle: settings.bundle, device: settings.device)
if let fault = chat.fault { fail(fault, 1) }
for (name, directory) in settings.adapters { chat.openAdapter(name, from: directory) }
chat.options = settings.options
chat.format = settings.format
if let name = settings.options.adapter { chat.use(adapter: name) }
if let fault = chat.fault { fail(fault, 1) }
note("\(chat.device)\n")

/// One answer, as it comes.
@MainActor func answer(_ text: String) async {
  await chat.send(text) { piece in
    print(piece, terminator: "")
    fflush(nil)
  }
  print()
  if let fault = chat.fault { note("\(fault)\n") }
  let rate = (chat.tokensPerSecond * 10).rounded() / 10
  note("[\(chat.device), \(chat.options.adapter ?? "no adapter"), \(rate) tokens/s]\n")
}

if let prompt = settings.prompt {
  await answer(prompt)
  exit(chat.fault == nil ? 0 : 1)
}
while let line = readLine() {
  let words = line.split(separator: " ", maxSplits: 1).map(String.init)
  switch words.first {
  case "/quit": exit(0)
  case "/reset": chat.reset()
  case "/device": note("\(chat.device)\n")
  case "/adapter":
    chat.use(adapter: words.dropFirst().first)
    note("\(chat.fault ?? "now: \(chat.options.adapter ?? "the model alone")")\n")
  default: await answer(line)
  }
}
