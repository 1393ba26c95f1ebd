// The C interface's functions that need no device: version, errors, texts, profiles, caches.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import ANEProfiles
import COrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@c @implementation
public func orion_abi_version() -> UInt32 { UInt32(ORION_ABI_VERSION) }

@c @implementation
public func orion_last_error() -> UnsafePointer<CChar>? { LastError.text }

@c @implementation
public func orion_text_free(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

@c @implementation
public func orion_profile_json(
  _ name: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let name = try CArguments.text(name, "name")
    let json = try CArguments.required(json, "json")
    guard let profile = Profile.named(name) else {
      let known = Profile.all.map(\.name).joined(separator: ", ")
      throw OrionError(.argument, "profile \"\(name)\": unknown; expected one of \(known)")
    }
    try CArguments.give(profile.json(), json)
  }
}

@c @implementation
public func orion_profile_names(
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let json = try CArguments.required(json, "json")
    try CArguments.give(JSONValue(Profile.all.map(\.name)).text, json)
  }
}

@c @implementation
public func orion_cache_json(
  _ cache_directory: UnsafePointer<CChar>?,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let explicit = try CArguments.optionalText(cache_directory, "cache_directory")
    let json = try CArguments.required(json, "json")
    let (path, _) = try CacheDirectory.resolve(explicit)
    try CArguments.give(CacheContents.list(path).text, json)
  }
}

@c @implementation
public func orion_file_sha256(
  _ path: UnsafePointer<CChar>?, _ digest: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let path = try CArguments.text(path, "path")
    let digest = try CArguments.required(digest, "digest")
    try CArguments.give(try SHA256.hex(ofFile: path), digest)
  }
}
