// Package integration tests Millrace against a real Kafka broker, with real
// processes that are killed. Its tests need Java and Maven, and are built with
// the tag kafka:
//
//	make test-kafka
package integration
