package windowing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/windowing"
)

func TestSuppressionValidates(t *testing.T) {
	for want, s := range map[string]windowing.Suppression{
		"":                        windowing.UntilTimeLimit(0, windowing.StopWhenFull).MaxBytes(1),
		"whole milliseconds":      windowing.UntilTimeLimit(time.Microsecond, windowing.EmitEarly).MaxRecords(1),
		"from 0 on":               windowing.UntilTimeLimit(-time.Second, windowing.EmitEarly).MaxRecords(1),
		"MaxRecords or MaxBytes":  windowing.UntilTimeLimit(time.Second, windowing.EmitEarly),
		"neither below 0":         windowing.UntilTimeLimit(time.Second, windowing.EmitEarly).MaxRecords(1).MaxBytes(-1),
		"EmitEarly or StopWhenFu": windowing.UntilTimeLimit(time.Second, 2).MaxRecords(1),
	} {
		if err := s.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}

func ExampleUntilTimeLimit() {
	s := windowing.UntilTimeLimit(time.Minute, windowing.EmitEarly)
	fmt.Println(s.Validate() != nil)
	fmt.Println(s.MaxRecords(10_000).MaxBytes(64 << 20).Validate())
	// Output:
	// true
	// <nil>
}
