module sealift.dev/tests/servers/pushgateway

go 1.26

tool github.com/prometheus/pushgateway

require (
	github.com/prometheus/pushgateway v1.11.1
)
