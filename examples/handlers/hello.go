package main

import (
	"context"

	"dormouse/handler"
)

func main() {
	handler.Task("hello", func(ctx context.Context, run *handler.Run) (any, error) {
		payload := struct{ Name *string }{}
		if err := run.Decode(&payload); err != nil || payload.Name == nil {
			return nil, handler.Fail{Message: "a name is missing"}
		}
		return map[string]string{"hello": *payload.Name}, nil
	})
	handler.Serve()
}
