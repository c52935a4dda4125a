package diagnosis

import "strings"

// mostEmbedded bounds how many causes are read out of one message.
const mostEmbedded = 8

// embedded reads causes that stand inside a message: "DebeziumException: java.util.concurrent.ExecutionException:
// java.lang.OutOfMemoryError: Java heap space", as an exception made of another writes itself, and "…; nested exception
// is java.sql.SQLException: …". They are deeper than the link that holds them.
func embedded(message string) []Link {
	text := plain(head(message, longestText))
	var links []Link
	for at := 0; at < len(text) && len(links) < mostEmbedded; {
		word, next := token(text, at)
		class := strings.Trim(word, `"'()[]{},;:`)
		if i := strings.IndexByte(class, ':'); i > 0 { // "Exception:message" without a space
			class = class[:i]
		}
		if strings.Count(class, ".") >= 2 && throwable(class) && isClass(class) {
			if n := len(links); n > 0 {
				links[n-1].Message = strings.TrimRight(strings.TrimSpace(text[len(text)-len(links[n-1].Message):at]), " ;,:")
			}
			rest := strings.TrimLeft(text[at+strings.Index(word, class)+len(class):], " :\"'")
			links = append(links, Link{Class: class, Message: rest})
		}
		at = next
	}
	return links
}

// token is the word that begins at or after at, and where the next one may begin.
func token(text string, at int) (word string, next int) {
	i := strings.IndexByte(text[at:], ' ')
	if i < 0 {
		return text[at:], len(text)
	}
	return text[at : at+i], at + i + 1
}

// unfold puts causes that stand in the deepest link's message below it.
func (c Chain) unfold() Chain {
	n := len(c.Links)
	if n == 0 {
		return c
	}
	outer := c.Links[n-1]
	inside := embedded(outer.Message)
	if said, ok := behind(outer.Message); ok && len(inside) == 0 {
		inside = []Link{{Message: said}}
		outer.Wrapper = true
	}
	if len(inside) == 0 {
		return c
	}
	outer.Wrapper = outer.Wrapper || strings.HasPrefix(plain(outer.Message), inside[0].Class)
	c.Links = append(append(append([]Link{}, c.Links[:n-1]...), outer), inside...)
	return c
}

// colons are words behind which a message says what it is about. What stands before them only says who noticed.
var colons = []string{" error(s):", " for configuration ", " due to: ", " reason: ", " because: "}

// behind is what a message says behind such words: "Connector configuration is invalid and contains the following 1
// error(s): Access denied" is about access.
func behind(message string) (string, bool) {
	text := plain(head(message, longestText))
	for _, words := range colons {
		_, rest, ok := strings.Cut(text, words)
		if words == " for configuration " {
			_, rest, ok = strings.Cut(rest, ": ")
		}
		if rest = strings.TrimSpace(rest); ok && len(rest) > 8 {
			return rest, true
		}
	}
	return "", false
}
