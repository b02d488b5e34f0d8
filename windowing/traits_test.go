package windowing

import (
	"testing"
	"time"
)

// Days of two places are not the same windows, whatever the places are called.
func TestCalendarsOfTwoPlaces(t *testing.T) {
	words := func(loc *time.Location) string {
		windows, _ := describe(Calendar(Day, loc))
		return windows
	}
	east, west := time.FixedZone("Local", 2*3600), time.FixedZone("Local", -10*3600)
	if words(east) == words(west) || words(time.FixedZone("", 3600)) == words(time.FixedZone("", 0)) {
		t.Errorf("%q and %q", words(east), words(west))
	}
	for loc, want := range map[*time.Location]string{
		time.UTC: "calendar, each day in UTC, weeks from Monday, offset 0s",
		east:     "calendar, each day in Local (+02:00 in January, +02:00 in July), weeks from Monday, offset 0s",
	} {
		if got := words(loc); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
