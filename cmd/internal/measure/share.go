package main

import "fmt"

// share is how many of a number of things are as asked.
type share struct{ part, whole int }

func (s *share) add(is bool) {
	s.whole++
	if is {
		s.part++
	}
}

// percent prints the share and what it is taken of.
func (s share) percent() string {
	if s.whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %% of %d", 100*float64(s.part)/float64(s.whole), s.whole)
}

// perThousand prints the number for every thousand of the whole.
func (s share) perThousand() string {
	if s.whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 1000*float64(s.part)/float64(s.whole))
}
