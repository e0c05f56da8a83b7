package lease

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
)

// Granted are the GPUs that the environment allows, as NVML indices and UUIDs; ok is
// false where it says nothing. An error is a [launch.ConfigFault].
func Granted(ctx context.Context, gpus device.Session) (ids []string, ok bool, err error) {
	if ids, ok = granted(os.LookupEnv); !ok {
		return nil, false, nil
	}
	return ids, true, inOrder(ctx, os.LookupEnv, gpus, ids)
}

// inOrder refuses indices in CUDA_VISIBLE_DEVICES that may not be NVML's. CUDA puts
// the fastest GPU first, unless CUDA_DEVICE_ORDER is PCI_BUS_ID, which is NVML's
// order; GPUs of one model are in that order anyway.
func inOrder(ctx context.Context, lookup func(string) (string, bool), gpus device.Session, ids []string) error {
	v, cuda := lookup("CUDA_VISIBLE_DEVICES")
	index := func(id string) bool { _, err := strconv.Atoi(id); return err == nil }
	if order, _ := lookup("CUDA_DEVICE_ORDER"); !cuda || order == "PCI_BUS_ID" || !slices.ContainsFunc(ids, index) {
		return nil
	}
	devices, err := gpus.Devices(ctx)
	if err != nil {
		return nil // which their selection says better
	}
	for _, d := range devices {
		if first := devices[0].Name; d.Name != first {
			return launch.Faultf(launch.ConfigFault, "CUDA_VISIBLE_DEVICES=%s counts GPUs in CUDA's order, the fastest first, and this host has %s and %s: name them by UUID, which nvidia-smi -L lists, or set CUDA_DEVICE_ORDER=PCI_BUS_ID, which is the order of nvidia-smi", v, first, d.Name)
		}
	}
	return nil
}

// granted reads CUDA_VISIBLE_DEVICES, as Slurm and people set it; else Slurm's
// own variables, the step's before the job's, which count the host's GPUs.
func granted(lookup func(string) (string, bool)) (ids []string, ok bool) {
	if v, ok := lookup("CUDA_VISIBLE_DEVICES"); ok {
		return cudaList(v), true
	}
	for _, name := range []string{"SLURM_STEP_GPUS", "SLURM_JOB_GPUS"} {
		if v, _ := lookup(name); v != "" {
			return slurmList(v), true
		}
	}
	return nil, false
}

// cudaList reads a list as CUDA does: it ends at the first entry that is no
// device.
func cudaList(v string) (ids []string) {
	for _, id := range strings.Split(v, ",") {
		id = strings.TrimSpace(id)
		if id == "" || strings.HasPrefix(id, "-") || id == "NoDevFiles" {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// mostGPUs is more than any host has.
const mostGPUs = 1024

// slurmList reads indices and ranges of them, such as 0-2,5. An entry that is
// neither stays as it is, for the selection to refuse by its name.
func slurmList(v string) (ids []string) {
	for _, entry := range strings.Split(v, ",") {
		entry = strings.TrimSpace(entry)
		from, to, _ := strings.Cut(entry, "-")
		first, err := strconv.Atoi(from)
		last, lastErr := strconv.Atoi(to)
		if err != nil || lastErr != nil || first > last || last > mostGPUs {
			ids = append(ids, entry)
			continue
		}
		for i := first; i <= last; i++ {
			ids = append(ids, strconv.Itoa(i))
		}
	}
	return ids
}
