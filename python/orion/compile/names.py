"""What a bundle's files are called, and the number of their format."""

MANIFEST = "manifest.json"
# Digest of the manifest, which lists the digests of all other files.
SEAL = "manifest.sha256"
WEIGHTS = "weights.bin"
FORMAT = 1
