package slacksim

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxFile bounds an upload in bytes.
const maxFile = 64 << 20

// file is an upload: announced, received, then shared.
type file struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Title    string `json:"title"`
	Mimetype string `json:"mimetype"`
	Filetype string `json:"filetype"`
	Size     int    `json:"size"`
	URL      string `json:"url"`
	Private  string `json:"url_private"`
	Body     []byte `json:"-"`

	received bool
}

func (s *Server) uploadURL(p params) (map[string]any, error) {
	size, err := strconv.Atoi(p["length"])
	if p["filename"] == "" || err != nil || size <= 0 { // a length of 0 counts as none
		return nil, fault{code: "missing_argument"}
	}
	if size > maxFile {
		return nil, fault{code: "file_upload_size_restricted"}
	}
	f := &file{ID: s.next("F"), Name: path.Base(p["filename"]), Title: p["filename"], Size: size}
	f.Mimetype = mime.TypeByExtension(path.Ext(f.Name))
	if f.Mimetype == "" {
		f.Mimetype = "text/plain"
	}
	f.Filetype = strings.TrimPrefix(path.Ext(f.Name), ".")
	f.URL = "/files/" + f.ID + "/" + f.Name
	f.Private = s.base + f.URL
	s.files[f.ID] = f
	return map[string]any{"upload_url": s.base + "/upload/" + f.ID, "file_id": f.ID}, nil
}

// upload takes the bytes, raw or as a form.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	body, err := uploaded(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	f := s.files[r.PathValue("id")]
	fits := f != nil && f.Size == len(body)
	if fits {
		f.Body, f.received = body, true
	}
	s.mu.Unlock()
	if !fits {
		http.Error(w, "no such upload, or not of the announced length", http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(w, "OK - %d", len(body)) // the client is gone when this fails
}

func uploaded(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return io.ReadAll(io.LimitReader(r.Body, maxFile))
	}
	if err := r.ParseMultipartForm(maxFile); err != nil {
		return nil, err
	}
	var parts []*multipart.FileHeader // SDKs name the part as they like
	for _, list := range r.MultipartForm.File {
		parts = append(parts, list...)
	}
	if len(parts) != 1 {
		return nil, fmt.Errorf("%d files in the form, expected one", len(parts))
	}
	part, err := parts[0].Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = part.Close() }() // it was read whole
	return io.ReadAll(io.LimitReader(part, maxFile))
}

func (s *Server) completeUpload(p params) (map[string]any, error) {
	var list []struct{ ID, Title string }
	if json.Unmarshal([]byte(p["files"]), &list) != nil || len(list) == 0 {
		return nil, fault{code: "invalid_arguments"}
	}
	var shared []*file
	for _, x := range list {
		f := s.files[x.ID]
		if f == nil || !f.received {
			return nil, fault{code: "file_not_found"}
		}
		if x.Title != "" {
			f.Title = x.Title
		}
		shared = append(shared, f)
	}
	ids := strings.Split(p["channels"], ",")
	if p["channel_id"] != "" {
		ids = []string{p["channel_id"]}
	}
	for _, id := range ids {
		if id == "" {
			continue
		}
		c, err := s.conversation(id)
		if err != nil {
			return nil, err
		}
		if c.Closed {
			return nil, fault{code: "not_in_channel"}
		}
		if p["thread_ts"] != "" && c.find(p["thread_ts"]) == nil {
			return nil, fault{code: "thread_not_found"}
		}
		m := &message{TS: s.stamp(), User: s.bot.ID, BotID: "B0CDCBOT", Username: s.bot.Name, Text: p["initial_comment"], ThreadTS: p["thread_ts"], Files: shared}
		c.add(m)
		s.changed(c, m)
		for _, f := range shared {
			s.note(c, map[string]any{"type": "file_shared", "channel_id": c.ID, "file_id": f.ID, "user_id": s.bot.ID, "file": map[string]any{"id": f.ID}, "event_ts": s.stamp()})
		}
	}
	return map[string]any{"files": shared}, nil
}

func (s *Server) fileInfo(p params) (map[string]any, error) {
	f := s.files[p["file"]]
	if f == nil {
		return nil, fault{code: "file_not_found"}
	}
	return map[string]any{"file": f}, nil
}

// fileDelete takes a file away; messages that shared it stay without it.
func (s *Server) fileDelete(p params) (map[string]any, error) {
	f := s.files[p["file"]]
	if f == nil {
		return nil, fault{code: "file_not_found"}
	}
	delete(s.files, f.ID)
	for _, c := range s.channels {
		for _, m := range c.messages {
			if i := slices.Index(m.Files, f); i >= 0 {
				m.Files = slices.Delete(slices.Clone(m.Files), i, i+1)
				s.changed(c, m)
			}
		}
	}
	return map[string]any{}, nil
}

// download serves a file as an attachment: what the bot uploads is never run as a page.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.files[r.PathValue("id")]
	s.mu.Unlock()
	if f == nil || !f.received {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", f.Mimetype)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	_, _ = w.Write(f.Body) // the client is gone when this fails
}
