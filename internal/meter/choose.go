package meter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/device"
)

// choose finds the GPUs that ids name among all of a host, by the driver's index or by
// UUID, in the order given. An id that is not there, which missing says more of, is named
// twice, or has MIG enabled is an error that says what to do.
func choose(all []device.Device, ids []string, missing func(id string) error) ([]device.Device, error) {
	selected := make([]device.Device, 0, len(ids))
	for _, id := range ids {
		if strings.HasPrefix(id, "MIG-") {
			return nil, fmt.Errorf("%s is part of a GPU, and energy is only known of whole ones: name a GPU without MIG", id)
		}
		at := slices.IndexFunc(all, func(d device.Device) bool { return d.UUID == id || strconv.Itoa(d.Index) == id })
		if at < 0 {
			return nil, missing(id)
		}
		d := all[at]
		if d.MIG != nil && *d.MIG {
			return nil, fmt.Errorf("GPU %d (%s) has MIG enabled, and its energy is only known as a whole: choose another, or disable MIG with nvidia-smi -i %d -mig 0", d.Index, d.UUID, d.Index)
		}
		if slices.ContainsFunc(selected, func(s device.Device) bool { return s.UUID == d.UUID }) {
			return nil, fmt.Errorf("GPU %d (%s) is named twice", d.Index, d.UUID)
		}
		selected = append(selected, d)
	}
	return selected, nil
}
