package secrets

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"go.uber.org/zap"
)

// Pauses before what failed is tried again, doubled up to the longest.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// Run keeps the login and everything that was read good until ctx ends. Vault being away is no error: it is asked again,
// and what was read stays in use as long as it lasts.
func (v *Vault) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		term, end := context.WithCancel(ctx)
		var all sync.WaitGroup
		v.mu.Lock()
		paths := slices.Sorted(maps.Keys(v.paths))
		v.mu.Unlock()
		for _, path := range paths {
			all.Go(func() { v.keep(term, path) })
		}
		v.hold(term) // returns when the login cannot be renewed any more
		end()
		all.Wait()
		if wait(ctx, firstPause) == nil && v.again(ctx, "logging in", v.Login) == nil {
			v.refetch(ctx, paths) // what was leased to the old login ends with it
		}
	}
	return nil
}

// refetch reads all that has a lease anew.
func (v *Vault) refetch(ctx context.Context, paths []string) {
	for _, path := range paths {
		if v.leased(path) {
			_ = v.again(ctx, path, func(ctx context.Context) error { _, err := v.fetch(ctx, path); return err }) // only the end of ctx
		}
	}
}

func (v *Vault) leased(path string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.paths[path].secret.LeaseID != ""
}

// again does something until it is done or ctx ends.
func (v *Vault) again(ctx context.Context, what string, do func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := do(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		v.options.Log.Warn("Vault did not do it; trying again, and what was read stays in use", zap.String("what", what), zap.Duration("in", pause), zap.Error(err))
		if wait(ctx, pause) != nil {
			return ctx.Err()
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// hold renews the login until that is not possible any more.
func (v *Vault) hold(ctx context.Context) {
	v.mu.Lock()
	auth := v.auth
	v.mu.Unlock()
	switch {
	case auth == nil:
		v.holdGiven(ctx)
	case auth.Auth.LeaseDuration == 0: // it has no end
		<-ctx.Done()
	default:
		v.watch(ctx, "login", auth)
	}
}

// holdGiven renews a token that somebody else gave when it may be, until there is another one in its file.
func (v *Vault) holdGiven(ctx context.Context) {
	for ctx.Err() == nil {
		if auth := v.given(ctx); auth != nil && auth.Auth.LeaseDuration > 0 && auth.Auth.Renewable {
			v.watch(ctx, "token", auth)
		} else {
			_ = wait(ctx, min(v.options.Refresh, longestPause))
		}
		before := v.api.Token()
		if _, _, err := v.credentials(); err != nil {
			v.options.Log.Warn("the token cannot be read again", zap.Error(err))
		}
		if v.api.Token() != before || wait(ctx, firstPause) != nil {
			return
		}
	}
}

// given is the token that somebody else gave, as Vault knows it; nil when it does not tell.
func (v *Vault) given(ctx context.Context) *api.Secret {
	about, err := v.api.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return nil
	}
	ttl, _ := about.TokenTTL()
	renewable, _ := about.TokenIsRenewable()
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: v.api.Token(), Renewable: renewable, LeaseDuration: int(ttl.Seconds())}}
}

// keep renews one path's lease, and fetches it anew when that is not possible any more. What has no lease is read again
// now and then.
func (v *Vault) keep(ctx context.Context, path string) {
	for ctx.Err() == nil {
		v.mu.Lock()
		secret := v.paths[path].secret
		v.mu.Unlock()
		if secret.LeaseID == "" {
			_ = wait(ctx, v.options.Refresh)
		} else {
			v.watch(ctx, path, secret)
		}
		if wait(ctx, firstPause) != nil || v.again(ctx, path, func(ctx context.Context) error { _, err := v.fetch(ctx, path); return err }) != nil {
			return
		}
	}
}

// watch renews a lease or a login until it cannot be renewed in time any more, or ctx ends.
func (v *Vault) watch(ctx context.Context, what string, secret *api.Secret) {
	watcher, err := v.api.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
	if err != nil {
		v.options.Log.Warn("a lease is not watched", zap.String("what", what), zap.Error(err))
		_ = wait(ctx, longestPause)
		return
	}
	var all sync.WaitGroup
	all.Go(watcher.Start)
	defer all.Wait()
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-watcher.DoneCh():
			v.options.Log.Info("it is fetched anew: it cannot be renewed any longer", zap.String("what", what), zap.Error(err))
			return
		case <-watcher.RenewCh():
			v.options.Log.Debug("renewed", zap.String("what", what))
		}
	}
}

// Close ends what the login gave, leases included; a nil Vault has nothing to end. A token that somebody else gave stays; its leases are ended one by one,
// as far as the policy lets.
func (v *Vault) Close(ctx context.Context) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.auth != nil {
		_ = v.api.Auth().Token().RevokeSelfWithContext(ctx, "") // it ends by itself otherwise
		return
	}
	for _, r := range v.paths {
		if r.secret.LeaseID != "" {
			_ = v.api.Sys().RevokeWithContext(ctx, r.secret.LeaseID)
		}
	}
}
