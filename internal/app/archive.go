package app

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"cdcbot/internal/archive"
	"cdcbot/internal/config"
	"cdcbot/internal/remediation"
	"cdcbot/internal/timeline"
)

// openArchive is nil when none is configured.
func openArchive(c *config.Config, a around) (*archive.Store, error) {
	o := c.Archive
	if o.URL == "" {
		return nil, nil
	}
	return archive.New(archive.Options{URL: o.URL, Username: o.Username, Password: o.Password, Login: a.login(c, "archive", o.Username, o.Password), Dial: a.breakers.Of("archive").Dial(direct)})
}

// archived writes an incident's record to the archive, reads it back, and proves what it read. Only then it is archived.
func archived(ctx context.Context, f *remediation.Flow, store *archive.Store, id string) (head string, events int64, err error) {
	var b bytes.Buffer
	if err := exportTo(ctx, f, id, "json", &b); err != nil {
		return "", 0, err
	}
	doc, err := timeline.ParseJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		return "", 0, err
	}
	if err := store.Put(ctx, archive.Record{Incident: id, Head: doc.Head, Events: int64(len(doc.Events)), Export: b.String()}); err != nil {
		return "", 0, err
	}
	again, err := store.Get(ctx, id, doc.Head)
	if err != nil {
		return "", 0, err
	}
	back, err := timeline.ParseJSON(strings.NewReader(again.Export))
	if err == nil {
		err = back.Verify()
	}
	if err == nil && back.Head != doc.Head {
		err = timeline.ErrBroken
	}
	if err != nil {
		return "", 0, fmt.Errorf("what the archive gives back of %s is not what was written: %w", id, err)
	}
	return doc.Head, int64(len(doc.Events)), nil
}

// ArchiveTimeline archives an incident's timeline now: `bot archive`.
func ArchiveTimeline(ctx context.Context, c *config.Config, id string) (head string, events int64, err error) {
	store, err := anArchive(c)
	if err != nil {
		return "", 0, err
	}
	err = offline(c, func(f *remediation.Flow) error {
		head, events, err = archived(ctx, f, store, id)
		return err
	})
	return head, events, err
}

// ArchivedTimeline reads an incident's newest record from the archive: `bot archive --read`.
func ArchivedTimeline(ctx context.Context, c *config.Config, id string) (export string, at time.Time, err error) {
	store, err := anArchive(c)
	if err != nil {
		return "", time.Time{}, err
	}
	r, err := store.Get(ctx, id, "")
	return r.Export, r.At, err
}

func anArchive(c *config.Config) (*archive.Store, error) {
	store, err := openArchive(c, around{})
	if err == nil && store == nil {
		err = fmt.Errorf("archive.url: not set; expected a URL such as postgres://user@localhost:5432/archive")
	}
	return store, err
}
