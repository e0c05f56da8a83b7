package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// setting is what a run has changed of one GPU and puts back. It stands in a file
// beside the locks before anything is changed and until all is as it was, so that
// `llem clean` can undo what a killed run did.
type setting struct {
	UUID     string  `json:"uuid"`
	Index    int     `json:"index"`
	Run      string  `json:"run"`
	LimitW   float64 `json:"power_limit_before_w"` // 0: was left as it was
	Clock    bool    `json:"sm_clock_locked"`
	Sum      string  `json:"sum"` // of the note without it: the first 16 digits of its SHA-256
	path     string
	device   measure.Device
	gpus     Tuner
	restored bool
}

// tuned are the settings that the runs of a process have changed. Its lock is held
// while a GPU is changed and while it is put back, which an interrupt does at once,
// whatever the run waits for.
type tuned struct {
	mu   sync.Mutex
	list []*setting
}

// PutBack puts every GPU back as it was before its run. It may be called at any
// time; what cannot be put back is left to `llem clean`.
func (r *Runner) PutBack() {
	r.tuned.mu.Lock()
	defer r.tuned.mu.Unlock()
	for _, s := range r.tuned.list {
		if s.restored {
			continue
		}
		if err := s.restore(s.gpus); err != nil {
			r.Log.Error("a GPU is left with gpu_settings; `llem clean` as root tries again", "error", err)
		}
	}
	r.tuned.list = slices.DeleteFunc(r.tuned.list, func(s *setting) bool { return s.restored })
}

const settingPrefix, settingSuffix = "settings-", ".json"

// settingPath is the file of a GPU's setting.
func settingPath(uuid string) string {
	return filepath.Join(lockDir(), settingPrefix+uuid+settingSuffix)
}

// untouched refuses GPUs that a killed run has left changed.
func untouched(devices []measure.Device) error {
	for _, d := range devices {
		s, err := readSetting(settingPath(d.UUID))
		if errors.Is(err, errDamagedNote) {
			return launch.Faultf(launch.HostFault, "%w", err)
		}
		if err == nil {
			return launch.Faultf(launch.HostFault, "GPU %d still has the settings of run %s, which was killed: sudo llem clean puts them back", d.Index, s.Run)
		}
	}
	return nil
}

// tune sets what gpu_settings asks for, on GPUs that nobody else uses.
func (x *run) tune(ctx context.Context) error {
	want := x.exp.GPUSettings
	if want == (study.GPUSettings{}) {
		return nil
	}
	if len(x.devices) == 0 {
		return launch.Faultf(launch.ConfigFault, "gpu_settings cannot be set: %s", x.noEnergy)
	}
	// Again, since others may have come while instruments and the image were had.
	others, err := x.watcher.Processes(ctx)
	switch {
	case err != nil:
		return launch.Faultf(launch.HostFault, "gpu_settings are not changed on a GPU that others may use: %w; leave gpu_settings out", err)
	case len(others) > 0:
		return launch.Faultf(launch.HostFault, "gpu_settings are not changed on a GPU that others use: %s; stop them, choose another GPU, or leave gpu_settings out", measure.Describe(others))
	}
	// An interrupt puts the GPUs back before anything else: what comes after it may
	// wait for a daemon that hangs.
	x.unwatch = context.AfterFunc(ctx, x.PutBack)
	for _, d := range x.devices {
		err := x.tuneOne(ctx, d, want)
		switch {
		case err == nil:
		case x.place != nil && errors.Is(err, measure.ErrBeyond): // this point's fault, and not that of the others
			return launch.Faultf(launch.ConfigFault, "gpu_settings: %w", err)
		default:
			return launch.Faultf(launch.HostFault, "gpu_settings: %w", err)
		}
	}
	// As the driver has them now: for the record, and for the baseline's cache.
	devices, err := x.gpus.Select(ctx, uuids(x.devices))
	if err != nil {
		return launch.Faultf(launch.HostFault, "read gpu_settings back: %w", err)
	}
	x.devices = devices
	return nil
}

func (x *run) tuneOne(ctx context.Context, d measure.Device, want study.GPUSettings) error {
	x.tuned.mu.Lock()
	defer x.tuned.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	s := &setting{UUID: d.UUID, Index: d.Index, Run: x.id, Clock: want.SMClockMHz > 0, path: settingPath(d.UUID), device: d, gpus: x.gpus}
	if want.PowerLimitW > 0 {
		var err error
		if s.LimitW, err = x.gpus.PowerLimit(d); err != nil {
			return err
		}
	}
	if err := s.write(); err != nil {
		return err
	}
	x.settings, x.tuned.list = append(x.settings, s), append(x.tuned.list, s)
	if want.PowerLimitW > 0 {
		if err := x.gpus.SetPowerLimit(d, want.PowerLimitW); err != nil {
			return err
		}
	}
	if want.SMClockMHz > 0 {
		if err := x.gpus.LockSMClock(d, want.SMClockMHz); err != nil {
			s.Clock = false // nothing to put back
			return err
		}
	}
	return nil
}

// untune puts the run's GPUs back, and waits for an interrupt that does so.
func (x *run) untune() {
	if x.unwatch != nil {
		x.unwatch()
	}
	if len(x.settings) > 0 {
		x.PutBack()
	}
}

// restore undoes a setting and forgets it. A limit that is as it was needs no
// permission to be left so.
func (s *setting) restore(gpus Tuner) error {
	var err error
	if s.LimitW > 0 {
		if now, lerr := gpus.PowerLimit(s.device); lerr != nil || now != s.LimitW {
			err = gpus.SetPowerLimit(s.device, s.LimitW)
		}
	}
	if s.Clock {
		err = errors.Join(err, gpus.LockSMClock(s.device, 0))
	}
	if err == nil {
		err = os.Remove(s.path)
	}
	s.restored = err == nil
	return err
}

// write keeps a setting on disk, through a crash of the host as well as of llem.
func (s *setting) write() error {
	if _, err := lockPath("gpu-" + s.UUID); err != nil { // makes the folder
		return err
	}
	s.Sum = s.sum()
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := takeOver(); err != nil {
		return fmt.Errorf("note what is to be put back: %w; %s names another folder", err, lockDirEnv)
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return inTheWay(s.path)
	}
	if err != nil {
		return fmt.Errorf("note what is to be put back: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("note what is to be put back: %w", err), os.Remove(s.path))
	}
	return nil
}

// inTheWay says how to be rid of what stands where a note is to be written.
func inTheWay(path string) error {
	if _, err := readSetting(path); errors.Is(err, errNotOurs) {
		return fmt.Errorf("%s, which is in the way of a note of what is to be put back, %w: sudo rm -r %s", path, errNotOurs, path)
	}
	return fmt.Errorf("%s is there already: sudo llem clean removes it", path)
}

// errNotOurs is a file that anybody may have put there.
var errNotOurs = errors.New("is no file of root's or this user's")

// readSetting reads a setting. The folder is everybody's: a file counts only if
// it is root's or this user's own, so that nobody makes root set a GPU.
func readSetting(path string) (*setting, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return nil, errNotOurs
	}
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return nil, err
	}
	s := &setting{path: path}
	err = json.Unmarshal(data, s)
	switch {
	case err != nil && cutOff(data): // while it was written, before anything was changed
		return nil, err
	case err != nil, s.Sum != "" && s.Sum != s.sum(), s.UUID != "" && settingPath(s.UUID) != path, s.LimitW < 0:
		return nil, fmt.Errorf("%s %w: set the GPU's power limit and clocks by hand (nvidia-smi -pl, nvidia-smi -rgc), then remove the file", path, errDamagedNote)
	}
	return s, nil
}

// cutOff says that a note that cannot be read lacks its end, which is its sum and a brace.
func cutOff(data []byte) bool {
	_, sum, _ := bytes.Cut(data, []byte(`"sum":"`))
	_, last, _ := bytes.Cut(sum, []byte(`"`))
	return !bytes.HasSuffix(data, []byte("}")) && len(last) == 0
}

// errDamagedNote is a note that was whole once.
var errDamagedNote = errors.New("says what a killed run changed on a GPU, and was damaged")

// sum is that of the note; an older llem wrote none.
func (s *setting) sum() string {
	bare := *s
	bare.Sum = ""
	data, _ := json.Marshal(bare) // numbers, texts and a truth value
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// settingsRecord is what a record says of them.
func (x *run) settingsRecord() []result.GPUSetting {
	x.tuned.mu.Lock()
	defer x.tuned.mu.Unlock()
	out := []result.GPUSetting{}
	for _, s := range x.settings {
		r := result.GPUSetting{Index: s.Index, UUID: s.UUID, Restored: s.restored}
		if s.LimitW > 0 {
			r.PowerLimitBeforeW, r.PowerLimitW = ptr(s.LimitW), ptr(x.exp.GPUSettings.PowerLimitW)
		}
		if s.Clock {
			r.SMClockMHz = ptr(x.exp.GPUSettings.SMClockMHz)
		}
		out = append(out, r)
	}
	return out
}

// LeftSettings are the GPUs, by UUID, that a killed run has left changed and that
// no llem holds now.
func LeftSettings() (left []string, err error) {
	files, err := filepath.Glob(filepath.Join(lockDir(), settingPrefix+"*"+settingSuffix))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		uuid := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), settingPrefix), settingSuffix)
		if l, err := LockGPUs([]string{uuid}, "clean"); err == nil { // nobody has it
			l.Release()
			if _, err := readSetting(path); !errors.Is(err, errNotOurs) && !errors.Is(err, fs.ErrNotExist) {
				left = append(left, uuid)
			}
		}
	}
	return left, nil
}

// RestoreSettings puts a GPU back as it was before the run that was killed, and
// says what was done.
func RestoreSettings(ctx context.Context, gpus GPUs, uuid string) (string, error) {
	lock, err := LockGPUs([]string{uuid}, "clean")
	if err != nil {
		return "", err
	}
	defer lock.Release()
	path := settingPath(uuid)
	s, err := readSetting(path)
	if errors.Is(err, errDamagedNote) {
		return "", err
	}
	if err != nil { // cut off while it was written, when nothing was changed yet
		return "nothing was changed on GPU " + uuid, os.Remove(path)
	}
	all, err := gpus.Devices(ctx)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(all, func(d measure.Device) bool { return d.UUID == uuid })
	if at < 0 {
		return "", fmt.Errorf("GPU %s, whose settings a killed run has changed, does not answer", uuid)
	}
	s.device = all[at]
	if err := s.restore(gpus); err != nil {
		return "", err
	}
	done := []string{}
	if s.LimitW > 0 {
		done = append(done, fmt.Sprintf("power limit %g W", s.LimitW))
	}
	if s.Clock {
		done = append(done, "SM clock free")
	}
	return fmt.Sprintf("restored GPU %d: %s", s.device.Index, strings.Join(done, ", ")), nil
}
