package result

import (
	"fmt"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// sweep is n records, no two of one configuration, with keys that few of them have.
func sweep(n int) (records []*Record, dirs []string) {
	for i := range n {
		load := map[string]any{"concurrency": float64(i), fmt.Sprint("rare", i%37): true}
		config := map[string]any{"model": "m", "seed": float64(i % 5), "workload": map[string]any{"load": load}, "name": fmt.Sprint(i)}
		for k := range 40 {
			config[fmt.Sprint("same", k)] = "the same"
		}
		records = append(records, &Record{SchemaVersion: SchemaVersion, ExperimentID: fmt.Sprint(i), Config: config})
		dirs = append(dirs, fmt.Sprint("r/", i))
	}
	return records, dirs
}

// cpu is what do takes of this thread's time, at the least of three.
func cpu(t *testing.T, do func()) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(1, &u); err != nil { // RUSAGE_THREAD
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	least := time.Duration(1 << 62)
	for range 3 {
		from := spent()
		do()
		least = min(least, spent()-from)
	}
	return least
}

// Eight times as many results take some eight times as long to export; what looks at
// each result for each other one takes sixty-four times as long.
func TestExportGrowsLinearly(t *testing.T) {
	const few, times = 100, 8
	export := func(n int) time.Duration {
		records, dirs := sweep(n)
		return cpu(t, func() {
			table := NewTable(records, dirs)
			for _, write := range []func(io.Writer) error{table.CSV, table.JSONL, table.Parquet} {
				if err := write(io.Discard); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if short, long := export(few), export(few*times); long > 3*times*short {
		t.Errorf("%d results took %s of CPU and %d took %s", few, short, few*times, long)
	}
}
