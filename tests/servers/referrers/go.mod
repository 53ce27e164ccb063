module sealift.dev/tests/servers/referrers

go 1.26

tool sealift.dev/tests/servers/referrers

require github.com/google/go-containerregistry v0.22.1
