package meter

import (
	"bufio"
	"fmt"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU time in /proc: USER_HZ is 100 on Linux.
const tick = 10 * time.Millisecond

// OwnCPU is the user and system time this process has used so far.
func OwnCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for ourselves
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// GarbageCPU is the CPU time the collector has used so far, up to its last cycle: its
// share, as the runtime estimates it, of what the process has used. The estimate by
// itself would not do, for it counts the time of cores that others had.
func GarbageCPU() time.Duration {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"},
	}
	metrics.Read(s)
	busy := s[1].Value.Float64() - s[2].Value.Float64()
	if busy <= 0 {
		return 0
	}
	return time.Duration(s[0].Value.Float64() / busy * float64(OwnCPU()))
}

// PeakRSS is the most memory this process has had resident, in MB of 2^20 bytes; 0 where
// there is no /proc. The rusage of a process would not do: it begins with its parent's.
func PeakRSS() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kb / 1024
		}
	}
	return 0
}

// processCPU reads the user and system time of another process, at the resolution of a
// tick; 0 if there is none.
func processCPU(pid int) time.Duration {
	if pid <= 0 {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return statCPU(string(b))
}

// statCPU adds the fields utime and stime of a stat line. Its second field is the
// command in parentheses, which may itself hold spaces and parentheses.
func statCPU(line string) time.Duration {
	const utime, stime = 11, 12 // counted behind the command
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) <= stime {
		return 0
	}
	u, _ := strconv.ParseInt(fields[utime], 10, 64)
	s, _ := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(u+s) * tick
}

// machineCPU reads the user, nice and system time of all processes together; 0 where
// there is no /proc.
func machineCPU() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system int64
	_, _ = fmt.Sscanf(string(b), "cpu %d %d %d", &user, &nice, &system)
	return time.Duration(user+nice+system) * tick
}
