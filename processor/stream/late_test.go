package stream

import (
	"testing"
	"time"

	"github.com/millrace/millrace/windowing"
)

func TestLateBy(t *testing.T) {
	for name, c := range map[string]struct {
		windows windowing.Definition
		closes  int64 // ms behind second 30 at which the last window of second 30 closes
	}{
		"tumbling": {windowing.Tumbling(time.Minute).Grace(5 * time.Second), 35_000},
		"hopping":  {windowing.Hopping(time.Minute, 10*time.Second), 60_000},
		"sliding":  {windowing.Sliding(10 * time.Second), 10_001},
		"session":  {windowing.Session(7 * time.Second), 7001},
	} {
		headers, by := lateHeaders(c.windows, 30_000, 500_000)
		if want := 470_000 - c.closes; by != want {
			t.Errorf("%s: late by %d, want %d", name, by, want)
		}
		if len(headers) != 3 || headers[2].Key != HeaderLateWatermark || string(headers[2].Value) != "500000" {
			t.Errorf("%s: headers %v", name, headers)
		}
	}
}
