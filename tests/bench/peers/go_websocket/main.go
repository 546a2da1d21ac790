// WebSocket echo on net/http, by hand: Go's standard library has none. Whole messages in one frame
// each, checked for UTF-8 as the standard asks; no fragments, no extensions.
package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"unicode/utf8"
)

const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func upgrade(writer http.ResponseWriter, request *http.Request) {
	key := request.Header.Get("Sec-WebSocket-Key")
	if key == "" {
		http.Error(writer, "no WebSocket", http.StatusBadRequest)
		return
	}
	conn, buffered, err := writer.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(key + magic))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	echo(conn, buffered.Reader)
}

func echo(conn net.Conn, reader *bufio.Reader) {
	var message, reply []byte
	for {
		var head [14]byte
		if _, err := io.ReadFull(reader, head[:2]); err != nil {
			return
		}
		opcode, size := head[0]&0x0f, uint64(head[1]&0x7f)
		if head[0]&0x80 == 0 || head[1]&0x80 == 0 || opcode > 2 {
			return // a close, or what this program does not know
		}
		extended := 0
		if size == 126 {
			extended = 2
		} else if size == 127 {
			extended = 8
		}
		if _, err := io.ReadFull(reader, head[2:2+extended+4]); err != nil {
			return
		}
		switch extended {
		case 2:
			size = uint64(binary.BigEndian.Uint16(head[2:]))
		case 8:
			size = binary.BigEndian.Uint64(head[2:])
		}
		if size > 16<<20 {
			return
		}
		if uint64(cap(message)) < size {
			message = make([]byte, size)
		}
		message = message[:size]
		if _, err := io.ReadFull(reader, message); err != nil {
			return
		}
		unmask(message, head[2+extended:6+extended])
		if opcode == 1 && !utf8.Valid(message) {
			return
		}
		reply = append(reply[:0], head[0])
		switch {
		case size < 126:
			reply = append(reply, byte(size))
		case size < 1<<16:
			reply = append(reply, 126, byte(size>>8), byte(size))
		default:
			reply = binary.BigEndian.AppendUint64(append(reply, 127), size)
		}
		if _, err := conn.Write(append(reply, message...)); err != nil {
			return
		}
	}
}

// Eight bytes at a time.
func unmask(message []byte, key []byte) {
	word := uint64(binary.LittleEndian.Uint32(key))
	word |= word << 32
	for len(message) >= 8 {
		binary.LittleEndian.PutUint64(message, binary.LittleEndian.Uint64(message)^word)
		message = message[8:]
	}
	for i := range message {
		message[i] ^= key[i%4]
	}
}

func main() {
	runtime.GOMAXPROCS(1) // all servers get one core
	port := "0"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(listener, http.HandlerFunc(upgrade)))
	os.Exit(1)
}
