/// The framework's exported constants: option keys, model types and keys of a model's attributes.

enum OptionKeys {
  static let modelType = "kANEFModelType"
  static let fileName = "kANEFNetPlistFilenameKey"
  static let milType = "kANEFModelMIL"
  static let statsMask = "kANEFPerformanceStatsMask"

  /// Constants whose text is their name.
  private static let plain = [
    "kANEFAOTCacheUrlIdentifierKey", "kANEFBaseModelIdentifierKey",
    "kANEFCompilationInitiatedByE5MLKey", "kANEFCompilerOptionsFilenameKey",
    "kANEFConstantSurfaceIDKey", "kANEFDisableIOFencesUseSharedEventsKey",
    "kANEFEnableFWToFWSignal", "kANEFEnableLateLatchKey", "kANEFEnablePowerSavingKey",
    "kANEFHintSessionAbort", "kANEFHintSessionInfo", "kANEFHintSessionStart",
    "kANEFHintSessionStop", "kANEFInMemoryModelIdentifierKey", "kANEFInMemoryModelIsCachedKey",
    "kANEFIntermediateBufferHandleKey", "kANEFKeepModelMemoryWiredKey", "kANEFMemoryPoolIDKey",
    "kANEFModelCacheIdentifierUsingSourceURLKey", "kANEFModelHasCacheURLIdentifierKey",
    "kANEFModelIdentityStrKey", "kANEFModelInputSymbolsArrayKey", "kANEFModelIsEncryptedKey",
    "kANEFModelOutputSymbolsArrayKey", "kANEFModelProcedureNameToIDMapKey",
    "kANEFNetPlistFilenameKey", "kANEFRetainModelsWithoutSourceURLKey",
    "kANEFSkipPreparePhaseKey",
  ]

  /// Constants whose text is another: symbol, text.
  private static let renamed = [
    ("kANEFModelTypeKey", modelType), ("kANEFModelMILValue", milType),
    ("kANEFModelANECIRValue", "kANEFModelANECIR"), ("kANEFModelCoreMLValue", "kANEFModelCoreML"),
    ("kANEFModelPreCompiledValue", "kANEFModelPreCompiled"),
    ("kANEFModelMLIRValue", "kANEFModelMLIR"),
    ("kANEFModelLLIRBundleValue", "kANEFModelLLIRBundle"),
    ("kANEFPerformanceStatsMaskKey", statsMask),
    ("kANEFModelLoadPerformanceStatsKey", "kANEFModelLoadPerformanceStats"),
    ("kANEFModelDescriptionKey", "ANEFModelDescription"),
    ("kANEFModelProceduresArrayKey", "ANEFModelProcedures"),
    ("kANEFModelProcedureIDKey", "ANEFModelProcedureID"),
    ("kANEFModelInputSymbolIndexArrayKey", "ANEFModelInputSymbolIndexArray"),
    ("kANEFModelOutputSymbolIndexArrayKey", "ANEFModelOutputSymbolIndexArray"),
  ]

  static let symbols: [Symbol] =
    plain.map { Symbol($0, constant: StringObject.constant($0)) }
    + renamed.map { Symbol($0.0, constant: StringObject.constant($0.1)) }
}
