// Continues a text: `TenLines BUNDLE PROMPT`.
import OrionANE

let arguments = CommandLine.arguments.dropFirst() + ["Once upon a time"]
let model = try LanguageModel(bundle: arguments.first ?? "stories.bundle")
for try await piece in model.generate(arguments.dropFirst().first ?? "") {
  print(piece.text, terminator: "")
}
print()
