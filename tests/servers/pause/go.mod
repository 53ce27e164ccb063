module sealift.dev/tests/servers/pause

go 1.26

tool sealift.dev/tests/servers/pause
