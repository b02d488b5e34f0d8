module github.com/millrace/millrace

go 1.26.0

require (
	github.com/cockroachdb/pebble/v2 v2.1.7
	github.com/twmb/franz-go v1.22.2
	github.com/twmb/franz-go/pkg/kadm v1.19.0
	github.com/twmb/franz-go/pkg/kfake v0.0.0-20260918054303-01f206a7e32c
	github.com/twmb/franz-go/pkg/kmsg v1.15.0
	go.uber.org/zap v1.28.0
	github.com/prometheus/client_golang v1.25.0
	github.com/spf13/cobra v1.10.2
	github.com/schollz/progressbar/v3 v3.19.1
	github.com/google/uuid v1.6.0
	github.com/cespare/xxhash/v2 v2.3.0
)
