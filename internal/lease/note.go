package lease

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/llenergymeasure/llem/internal/device"
)

// setting is what a run has changed of one GPU and puts back. Its note is a file in
// the folder of locks, from before anything is changed until all is as it was, so that `llem
// clean` can undo what a killed run did.
type setting struct {
	UUID     string  `json:"uuid"`
	Index    int     `json:"index"`
	Run      string  `json:"run"`
	LimitW   float64 `json:"power_limit_before_w"` // 0: was left as it was
	Clock    bool    `json:"sm_clock_locked"`
	Sum      string  `json:"sum"` // of the note without it: the first 16 digits of its SHA-256
	path     string
	device   device.Device
	gpus     device.Tuner
	want     Tuning
	restored bool
}

const settingPrefix, settingSuffix = "settings-", ".json"

// settingPath is the file of a GPU's setting.
func settingPath(uuid string) string {
	return filepath.Join(lockDir(), settingPrefix+uuid+settingSuffix)
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

// inTheWay says how to remove what is where a note is to be written.
func inTheWay(path string) error {
	if _, err := readSetting(path); errors.Is(err, errNotOurs) {
		return fmt.Errorf("%s, which is in the way of a note of what is to be put back, %w: sudo rm -r %s", path, errNotOurs, path)
	}
	return fmt.Errorf("%s is there already: sudo llem clean removes it", path)
}

// errNotOurs is a file that anybody may have put there.
var errNotOurs = errors.New("is no file of root's or this user's")

// readSetting reads a setting. Any user may write into the folder: a file counts
// only if it is root's or this user's own, so that no other user makes root set a GPU.
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
