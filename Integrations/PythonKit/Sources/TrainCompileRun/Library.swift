// What the program needs of the C library: a file, an end, a number with three places.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct FileError: Error, CustomStringConvertible {
  let description: String
}

func fail(_ message: String) -> Never {
  let standardError = fdopen(2, "w")
  fputs("TrainCompileRun: \(message)\n", standardError)
  fflush(standardError)
  exit(1)
}

func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }

func write(_ text: String, to path: String) throws {
  let failure = FileError(description: "\(path): cannot be written")
  guard let file = fopen(path, "w") else { throw failure }
  defer { fclose(file) }
  guard fputs(text, file) >= 0 else { throw failure }
}
