module sealift.dev/tests/servers/oras

go 1.26

tool oras.land/oras/cmd/oras

require oras.land/oras v1.3.0
