//! Words everyone shares: ids, money, usage, the chat request, stream events, failure.
