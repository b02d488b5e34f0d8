// Package statetest is the proof kit of package state: a suite that every Storage must pass, and a Storage that can
// crash for tests of whole clusters.
package statetest
