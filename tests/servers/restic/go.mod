module sealift.dev/tests/servers/restic

go 1.26

tool github.com/restic/restic/cmd/restic

require (
	github.com/restic/restic v0.19.1
)
