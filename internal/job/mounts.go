package job

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
)

// modelRoot is where models are mounted in containers. It is short of special
// characters: some images' entrypoints split their arguments at spaces.
const modelRoot = "/models"

// mounted says how a model is given to a container. A snapshot of the hub's
// cache is links into the folder beside it, so that the whole repository is
// mounted; a GGUF file in parts needs its folder.
func mounted(at string) (engine.Model, error) {
	at, err := filepath.Abs(at)
	if err != nil {
		return engine.Model{}, err
	}
	const snapshots = string(filepath.Separator) + "snapshots" + string(filepath.Separator)
	if i := strings.LastIndex(at, snapshots); i >= 0 {
		if st, err := os.Stat(filepath.Join(at[:i], "blobs")); err == nil && st.IsDir() {
			return mountAt(at[:i], path.Join("snapshots", filepath.ToSlash(at[i+len(snapshots):])), at)
		}
	}
	if hub.IsPart(at) {
		return mountAt(filepath.Dir(at), filepath.Base(at), at)
	}
	return mountAt(at, "", at)
}

var odd = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func mountAt(source, inside, file string) (engine.Model, error) {
	real, err := filepath.EvalSymlinks(source)
	if err != nil {
		return engine.Model{}, err
	}
	if err := inReach(real, filepath.Join(real, inside)); err != nil {
		return engine.Model{}, err
	}
	target := path.Join(modelRoot, odd.ReplaceAllString(filepath.Base(source), "_"))
	return engine.Model{
		Source: real, Target: target, Path: path.Join(target, inside), GGUF: strings.HasSuffix(file, ".gguf"),
	}, nil
}

// inReach refuses files of a model that are links out of what is mounted: they
// would lead nowhere in the container.
func inReach(source, model string) error {
	return filepath.WalkDir(model, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink == 0 {
			return err
		}
		to, err := filepath.EvalSymlinks(file)
		if err != nil {
			return fmt.Errorf("%s: the link leads nowhere: %w", file, err)
		}
		if to != source && !strings.HasPrefix(to, source+string(filepath.Separator)) {
			return fmt.Errorf("%s is a link to %s, outside the folder that is mounted: copy the file in its place (cp -L), or name the folder that has it", file, to)
		}
		return nil
	})
}
