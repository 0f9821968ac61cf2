"""
Realtime sessions: the rules are applied to the messages in which a client describes how its speech is transcribed.

`session.Session` takes the bytes that a client sends over a WebSocket, and returns the bytes to send to the server.
"""
