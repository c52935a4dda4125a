package diagnosis

import "strings"

// longestText bounds how much of a message is matched: what identifies an error stands at its beginning, or at its end
// when a batch statement is printed first.
const longestText = 8 << 10

// fold prepares text for matchFolded: lower case, spaces made one, and the middle of a very long text left out.
func fold(s string) string {
	if len(s) > longestText {
		s = head(s, longestText/2) + " … " + strings.ToValidUTF8(s[len(s)-longestText/2:], "")
	}
	return strings.ToLower(plain(s))
}

// matchFolded says whether pattern occurs in text, both folded; * matches anything. It takes linear time per star.
func matchFolded(pattern, text string) bool {
	for pattern != "" {
		part, rest, _ := strings.Cut(pattern, "*")
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, pattern = text[i+len(part):], rest
	}
	return true
}

// matchAny says whether name begins with one of the prefixes.
func matchAny(prefixes []string, name string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
