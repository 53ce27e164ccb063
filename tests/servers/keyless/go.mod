module sealift.dev/tests/servers/keyless

go 1.26

tool sealift.dev/tests/servers/keyless

require (
	github.com/sigstore/protobuf-specs v0.5.1
	github.com/sigstore/sigstore-go v1.2.2
	google.golang.org/protobuf v1.36.11
)
