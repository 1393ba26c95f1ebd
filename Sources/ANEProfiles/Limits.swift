/// Sizes that the device's compiler, loader or driver refuses to exceed. Lengths count elements.
public struct Limits: Sendable {
  public var axisWidthMax = 65_536
  public var axisChannelsMax = 65_536
  /// Channels that a convolution may sum over.
  public var convInputChannelsMax = 65_536
  public var matmulInnerMax = 32_768
  public var rankMax = 5
  /// Smallest last axis of a program input or output; narrower ones are padded by the host.
  public var widthMin = 32
  /// Widths of inputs and outputs are a multiple of this.
  public var widthMultiple = 32
  /// A row of a surface starts at a multiple of this many bytes.
  public var rowAlignmentBytes = 64
  public var loadedProgramsMax = 127
  /// Compiles in the life of a process.
  public var compilesMax = Limits.unlimited
  public var addressSpaceBytes = 4 << 30
  /// Weights of one program.
  public var programBytesMax = 1_500_000_000
  public var queueDepthMax = 127
  public var weightFilesMax = 16
  /// fp32 tensors are allowed as inputs and outputs of a program.
  public var takesFloat32IO = true
  /// Branches that meet in one op before its compile gets slow.
  public var fanInMax = 11

  /// Stands for a limit that nobody met.
  public static let unlimited = 1 << 46
}

/// How the driver and the daemon treat what they are given, where chips and readings differ.
public struct Conduct: Sendable {
  public enum SurfaceSize: String, Sendable {
    /// Each surface holds the rows of its operand at the stride of the attributes.
    case rows
    /// All surfaces of a side have one size, not under `surfaceBytesMin`; data is packed.
    case equal
  }
  public enum Binding: String, Sendable {
    /// A surface stands for the symbol that the request gives with it.
    case symbols
    /// The n-th surface of a side stands for the n-th name in alphabetical order.
    case alphabetical
  }
  /// What happens with an operand under the smallest width.
  public enum NarrowWidth: String, Sendable {
    case zeros
    /// Status 0x16, statusType 0x9.
    case fault
    /// Status 0x1d.
    case refusal
  }
  public enum Reload: String, Sendable {
    /// A load is answered from the daemon's cache, whatever the files hold by now.
    case cache
    /// Unloading keeps the model directory, and loading reads its weight files again.
    case files
  }
  public enum BlobOffset: String, Sendable {
    /// The offset names a record, which says where the data is.
    case record
    /// The data is taken to start 64 bytes behind the offset, whatever stands there.
    case blind
  }
  public var surfaceSize = SurfaceSize.rows
  /// Smallest allocation of a surface.
  public var surfaceBytesMin = 0
  public var binding = Binding.symbols
  public var narrowWidth = NarrowWidth.refusal
  /// Widths at which the engine faults: the first and the last, or none.
  public var faultingWidths: [Int] = []
  /// A surface that is input and output of one request faults on these routes.
  public var aliasFaultRoutes = ["memory"]
  /// The only output of a program must not be an `identity`: it gives NaN.
  public var soleIdentityIsNaN = false
  public var reload = Reload.cache
  public var blobOffset = BlobOffset.record
  /// Requests that ask for it are told the engine's own time; else they read 0.
  public var tellsHardwareTimes = false
}
