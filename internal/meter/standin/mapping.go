package standin

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is the shared file in memory, and who may change it.
type mapping struct {
	mu   sync.Mutex
	f    *os.File
	data []byte
	file *file
}

func attach(f *os.File) (*mapping, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(file{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("map stand-in %s: %w", f.Name(), err)
	}
	return &mapping{f: f, data: data, file: (*file)(unsafe.Pointer(&data[0]))}, nil
}

func (m *mapping) close() error {
	m.file = nil
	if err := unix.Munmap(m.data); err != nil {
		return err
	}
	return m.f.Close()
}

func (m *mapping) gpus() int { return int(m.file.gpus) }

func (m *mapping) gpu(i int) *gpu {
	if i < 0 || i >= m.gpus() {
		panic(fmt.Sprintf("standin: no GPU %d among %d", i, m.gpus()))
	}
	return &m.file.gpu[i]
}

// change lets f change GPU i, alone among all processes, and unseen by the
// library until it is done.
func (m *mapping) change(i int, f func(*gpu)) {
	g := m.gpu(i)
	m.lock()
	defer m.unlock()
	seq := atomic.LoadUint64(&g.seq) | 1 // odd already where a writer was killed
	atomic.StoreUint64(&g.seq, seq)
	f(g)
	atomic.StoreUint64(&g.seq, seq+1)
}

// lock is between goroutines by mutex and between processes by flock, which
// does not tell goroutines apart.
func (m *mapping) lock() {
	m.mu.Lock()
	for {
		switch err := unix.Flock(int(m.f.Fd()), unix.LOCK_EX); err {
		case nil:
			return
		case syscall.EINTR:
		default:
			panic("standin: lock " + m.f.Name() + ": " + err.Error())
		}
	}
}

func (m *mapping) unlock() {
	_ = unix.Flock(int(m.f.Fd()), unix.LOCK_UN)
	m.mu.Unlock()
}
