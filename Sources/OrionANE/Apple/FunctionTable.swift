/// Every foreign function and constant of the path to the Neural Engine, typed. It calls none of them.
///
/// The types are those of the public C headers. `Reference` is any Objective-C or CoreFoundation object;
/// BOOL and Boolean are one byte.
struct FunctionTable: @unchecked Sendable {
  typealias Reference = UnsafeMutableRawPointer
  typealias Text = UnsafePointer<CChar>
  typealias Code = Int32

  // Objective-C runtime.
  let getClass: @convention(c) (Text) -> Reference?
  let objectGetClass: (@convention(c) (Reference) -> Reference?)?
  let getMetaClass: (@convention(c) (Text) -> Reference?)?
  let registerSelector: @convention(c) (Text) -> Reference?
  let methodImplementation: @convention(c) (Reference, Reference) -> Reference?
  let respondsToSelector: @convention(c) (Reference, Reference) -> UInt8
  let instanceMethod: @convention(c) (Reference, Reference) -> Reference?
  let classMethod: @convention(c) (Reference, Reference) -> Reference?
  let typeEncoding: @convention(c) (Reference) -> Text?
  let poolPush: (@convention(c) () -> Reference?)?
  let poolPop: (@convention(c) (Reference) -> Void)?
  let objectRetain: (@convention(c) (Reference) -> Reference?)?
  let objectRelease: (@convention(c) (Reference) -> Void)?

  // CoreFoundation.
  let retain: @convention(c) (Reference) -> Reference?
  let release: @convention(c) (Reference) -> Void
  let typeID: @convention(c) (Reference) -> UInt
  let stringCreate:
    @convention(c) (Reference?, UnsafePointer<UInt8>, Int, UInt32, UInt8) -> Reference?
  let stringLength: @convention(c) (Reference) -> Int
  let stringGet: @convention(c) (Reference, UnsafeMutablePointer<CChar>, Int, UInt32) -> UInt8
  let stringTypeID: @convention(c) () -> UInt
  let dataCreate: @convention(c) (Reference?, UnsafePointer<UInt8>, Int) -> Reference?
  let numberCreate: @convention(c) (Reference?, Int, UnsafeRawPointer) -> Reference?
  let numberGet: @convention(c) (Reference, Int, UnsafeMutableRawPointer) -> UInt8
  let numberTypeID: @convention(c) () -> UInt
  let dictionaryCreate:
    @convention(c) (
      Reference?, UnsafeMutablePointer<UnsafeRawPointer?>, UnsafeMutablePointer<UnsafeRawPointer?>,
      Int, UnsafeRawPointer?, UnsafeRawPointer?
    ) -> Reference?
  let dictionaryValue: @convention(c) (Reference, UnsafeRawPointer) -> Reference?
  let dictionaryTypeID: @convention(c) () -> UInt
  let arrayCreate:
    @convention(c) (Reference?, UnsafeMutablePointer<UnsafeRawPointer?>, Int, UnsafeRawPointer?) ->
      Reference?
  let arrayCount: @convention(c) (Reference) -> Int
  let arrayValue: @convention(c) (Reference, Int) -> Reference?
  let arrayTypeID: @convention(c) () -> UInt
  let urlCreate: @convention(c) (Reference?, UnsafePointer<UInt8>, Int, UInt8) -> Reference?
  let errorCode: @convention(c) (Reference) -> Int
  let errorDomain: @convention(c) (Reference) -> Reference?
  let errorDescription: @convention(c) (Reference) -> Reference?
  let errorFailureReason: (@convention(c) (Reference) -> Reference?)?

  // IOSurface.
  let surfaceCreate: @convention(c) (Reference) -> Reference?
  let surfaceLock: @convention(c) (Reference, UInt32, UnsafeMutablePointer<UInt32>?) -> Code
  let surfaceUnlock: @convention(c) (Reference, UInt32, UnsafeMutablePointer<UInt32>?) -> Code
  let surfaceAddress: @convention(c) (Reference) -> UnsafeMutableRawPointer?
  let surfaceAllocSize: @convention(c) (Reference) -> Int
  let surfaceBytesPerRow: @convention(c) (Reference) -> Int

  let constants: Constants

  /// Objects and callbacks that the libraries export as variables.
  struct Constants: @unchecked Sendable {
    let dictionaryKeyCallBacks: UnsafeMutableRawPointer
    let dictionaryValueCallBacks: UnsafeMutableRawPointer
    let arrayCallBacks: UnsafeMutableRawPointer
    let surfaceWidth: Reference
    let surfaceHeight: Reference
    let surfaceBytesPerElement: Reference
    let surfaceBytesPerRow: Reference
    let surfaceAllocSize: Reference
    let surfacePixelFormat: Reference
    let modelType: Reference
    let modelTypeMIL: Reference
    let modelFileName: Reference

    init(_ find: inout SymbolFinder) {
      dictionaryKeyCallBacks = find.address("kCFTypeDictionaryKeyCallBacks")
      dictionaryValueCallBacks = find.address("kCFTypeDictionaryValueCallBacks")
      arrayCallBacks = find.address("kCFTypeArrayCallBacks")
      surfaceWidth = find.constant("kIOSurfaceWidth")
      surfaceHeight = find.constant("kIOSurfaceHeight")
      surfaceBytesPerElement = find.constant("kIOSurfaceBytesPerElement")
      surfaceBytesPerRow = find.constant("kIOSurfaceBytesPerRow")
      surfaceAllocSize = find.constant("kIOSurfaceAllocSize")
      surfacePixelFormat = find.constant("kIOSurfacePixelFormat")
      modelType = find.constant("kANEFModelTypeKey", "kANEFModelType")
      modelTypeMIL = find.constant("kANEFModelMILValue", "kANEFModelMIL")
      modelFileName = find.constant("kANEFNetPlistFilenameKey")
    }
  }

  /// Fills the table, or names every symbol that the library lacks.
  init(_ library: ForeignLibrary) throws(OrionError) {
    var find = SymbolFinder(library)
    func pick<F>(_ name: String) -> F { find.function(name, F.self) }
    func maybe<F>(_ name: String) -> F? { find.optionalFunction(name, F.self) }
    getClass = pick("objc_getClass")
    objectGetClass = maybe("object_getClass")
    getMetaClass = maybe("objc_getMetaClass")
    registerSelector = pick("sel_registerName")
    methodImplementation = pick("class_getMethodImplementation")
    respondsToSelector = pick("class_respondsToSelector")
    instanceMethod = pick("class_getInstanceMethod")
    classMethod = pick("class_getClassMethod")
    typeEncoding = pick("method_getTypeEncoding")
    poolPush = maybe("objc_autoreleasePoolPush")
    poolPop = maybe("objc_autoreleasePoolPop")
    objectRetain = maybe("objc_retain")
    objectRelease = maybe("objc_release")

    retain = pick("CFRetain")
    release = pick("CFRelease")
    typeID = pick("CFGetTypeID")
    stringCreate = pick("CFStringCreateWithBytes")
    stringLength = pick("CFStringGetLength")
    stringGet = pick("CFStringGetCString")
    stringTypeID = pick("CFStringGetTypeID")
    dataCreate = pick("CFDataCreate")
    numberCreate = pick("CFNumberCreate")
    numberGet = pick("CFNumberGetValue")
    numberTypeID = pick("CFNumberGetTypeID")
    dictionaryCreate = pick("CFDictionaryCreate")
    dictionaryValue = pick("CFDictionaryGetValue")
    dictionaryTypeID = pick("CFDictionaryGetTypeID")
    arrayCreate = pick("CFArrayCreate")
    arrayCount = pick("CFArrayGetCount")
    arrayValue = pick("CFArrayGetValueAtIndex")
    arrayTypeID = pick("CFArrayGetTypeID")
    urlCreate = pick("CFURLCreateFromFileSystemRepresentation")
    errorCode = pick("CFErrorGetCode")
    errorDomain = pick("CFErrorGetDomain")
    errorDescription = pick("CFErrorCopyDescription")
    errorFailureReason = maybe("CFErrorCopyFailureReason")

    surfaceCreate = pick("IOSurfaceCreate")
    surfaceLock = pick("IOSurfaceLock")
    surfaceUnlock = pick("IOSurfaceUnlock")
    surfaceAddress = pick("IOSurfaceGetBaseAddress")
    surfaceAllocSize = pick("IOSurfaceGetAllocSize")
    surfaceBytesPerRow = pick("IOSurfaceGetBytesPerRow")
    constants = Constants(&find)
    if objectGetClass == nil && getMetaClass == nil { find.note(missing: "object_getClass") }
    try find.finish()
  }
}
