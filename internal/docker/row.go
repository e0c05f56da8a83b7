package docker

import (
	"context"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Row is Docker's in the table of launchers.
var Row = launch.Row{
	Name: "docker",
	Open: func(ctx context.Context, opt launch.Options) (launch.Daemon, error) {
		d, err := reach(ctx, opt)
		if err != nil {
			return nil, err
		}
		return d, nil
	},
	Misled: misled,
	Words:  words,
}

var words = launch.Words{
	Title:   "Docker",
	Restart: "restart the daemon: sudo systemctl restart docker",
	Room:    "docker image prune, or move data-root (/etc/docker/daemon.json) to a larger disk",
	List:    "see docker images",
	Fetch:   "docker pull",
	Bring:   "docker save and docker load",
	All:     "docker ps -a",
	NoGPUs:  "the daemon lists neither an nvidia runtime nor CDI",
	GPUs:    toolkit,
}

// Words are Docker's.
func (d *daemon) Words() launch.Words { return words }

// toolkit lets a daemon give GPUs to containers.
const toolkit = "install nvidia-container-toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
