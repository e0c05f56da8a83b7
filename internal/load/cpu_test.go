package load

import "testing"

func TestCPUTimeGrows(t *testing.T) {
	before := CPUTime()
	for sum := uint32(1); CPUTime() <= before; { // until some time was used
		for range 1 << 16 {
			sum = sum*1664525 + 1013904223
		}
	}
	if before <= 0 {
		t.Errorf("a test that runs has used %v", before)
	}
}
