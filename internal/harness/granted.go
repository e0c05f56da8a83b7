package harness

import (
	"os"
	"strconv"
	"strings"
)

// grantedGPUs is what the environment allows; ok is false where it says
// nothing.
func grantedGPUs() (ids []string, ok bool) { return granted(os.LookupEnv) }

// granted reads CUDA_VISIBLE_DEVICES, as Slurm and people set it; else Slurm's
// own variables, the step's before the job's. Indices are taken as NVML's: in
// the former that is the order of CUDA_DEVICE_ORDER=PCI_BUS_ID, in the latter
// they count the host's GPUs.
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
