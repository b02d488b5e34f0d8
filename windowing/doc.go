// Package windowing knows time. It cuts event time into windows, keeps the watermark of each channel, decides with one
// predicate for each kind what is too late and what is due, and drives windowed aggregates over their stores.
//
// Everything in it is pure: no clock, no goroutine, no randomness; the same calls give the same results. Nothing in it
// is safe for concurrent use unless it says so; what has only value methods is.
//
// SEMANTICS.md states the rules, boundary by boundary.
package windowing
