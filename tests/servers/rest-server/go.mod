module sealift.dev/tests/servers/rest-server

go 1.26

tool github.com/restic/rest-server/cmd/rest-server

require (
	github.com/restic/rest-server v0.14.0
)
