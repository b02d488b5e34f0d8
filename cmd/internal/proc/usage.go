// Package proc starts, pins, measures and ends the processes of tests and benchmarks.
// What it measures it reads from /proc, so that every process is measured alike,
// whatever it is written in.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: USER_HZ is 100 on Linux.
const tick = 10 * time.Millisecond

// CPU is the user and system time that all threads of a process have used so far,
// with a resolution of 10 ms. A process that is gone is an error.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("proc: CPU time of process %d: %w", pid, err)
	}
	return parseStat(text)
}

// parseStat reads the 14th and 15th field of a process's stat. The second one is
// the program's name in parentheses and may hold anything.
func parseStat(text []byte) (time.Duration, error) {
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("proc: %q is no stat of a process", text)
	}
	return ticks(fields[11:13])
}

// Machine is the time that all processes of the machine have used together since
// it booted.
func Machine() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("proc: CPU time of the machine: %w", err)
	}
	return parseMachine(string(text))
}

// parseMachine adds user, nice and system time of the first line.
func parseMachine(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 4 || fields[0] != "cpu" {
		return 0, fmt.Errorf("proc: %q is no stat of a machine", line)
	}
	return ticks(fields[1:4])
}

func ticks(fields []string) (sum time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("proc: CPU time: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// Memory is what a process holds of the machine's memory, in bytes.
type Memory struct {
	// Resident is its size now, Peak the greatest it ever was.
	Resident, Peak int64
}

// MemoryOf reads the memory of a process. A process that is gone is an error.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("proc: memory of process %d: %w", pid, err)
	}
	return parseStatus(string(text))
}

func parseStatus(text string) (m Memory, err error) {
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		var to *int64
		switch name {
		case "VmRSS":
			to = &m.Resident
		case "VmHWM":
			to = &m.Peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("proc: memory of a process, %q: %w", line, err)
		}
		*to = kib << 10
	}
	if m.Peak == 0 {
		return Memory{}, fmt.Errorf("proc: a status without memory: the process has ended")
	}
	return m, nil
}
