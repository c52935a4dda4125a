package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/wasilibs/go-pgquery/parser"
)

func try(name, s string) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Printf("%s PANIC %.300v\n", name, r)
		}
	}()
	b := time.Now()
	out, err := parser.ParseToJSON(s)
	fmt.Println(name, len(s), len(out), time.Since(b), err)
}

func main() {
	for _, n := range []int{500, 2000, 4000, 8000, 30000} {
		try("plus", "SELECT 1"+strings.Repeat("+1", n))
		try("paren", "SELECT "+strings.Repeat("(", n)+"1"+strings.Repeat(")", n))
		try("not", "SELECT "+strings.Repeat("NOT ", n)+"true")
		try("minus", "SELECT "+strings.Repeat("- ", n)+"a")
		try("sub", "SELECT "+strings.Repeat("(SELECT ", n)+"1"+strings.Repeat(")", n))
		try("union", "SELECT 1"+strings.Repeat(" UNION SELECT 1", n))
		try("arr", "SELECT "+strings.Repeat("ARRAY[", n)+"1"+strings.Repeat("]", n))
		try("comment", strings.Repeat("/*", n)+strings.Repeat("*/", n)+"SELECT 1")
		try("f", "SELECT "+strings.Repeat("a(", n)+"1"+strings.Repeat(")", n))
		try("cast", "SELECT 1"+strings.Repeat("::int", n))
		try("plain", "SELECT 1")
	}
}
