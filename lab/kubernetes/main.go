// Command kubernetes is the lab's Kubernetes: the real API server and, in the same process, the etcd that it keeps
// everything in. It exists because the lab pulls no images. There is no kubelet and no controller: tests play those.
//
//	kubernetes -data DIR -etcd 127.0.0.1:18444 -- FLAGS OF KUBE-APISERVER
package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	data := flag.String("data", "", "the folder of etcd's data")
	listen := flag.String("etcd", "127.0.0.1:18444", "where etcd listens for the API server")
	flag.Parse()
	store, err := startEtcd(*data, *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	command := app.NewAPIServerCommand()
	command.SetArgs(append([]string{"--etcd-servers=http://" + *listen}, flag.Args()...))
	code := cli.Run(command) // until SIGTERM
	store.Close()
	os.Exit(code)
}

// startEtcd returns when etcd serves. It is one member that talks to no peer, and does not wait for the disk: the data of
// a lab may be lost with the machine.
func startEtcd(data, listen string) (*embed.Etcd, error) {
	c := embed.NewConfig()
	c.Dir, c.LogLevel, c.UnsafeNoFsync = data, "warn", true
	at := url.URL{Scheme: "http", Host: listen}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{at}, []url.URL{at}
	c.ListenPeerUrls = nil
	store, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("etcd in %s: %w", data, err)
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err = <-store.Err():
	case <-time.After(time.Minute):
		err = fmt.Errorf("no leader within a minute")
	}
	store.Close()
	return nil, fmt.Errorf("etcd in %s: %w", data, err)
}
