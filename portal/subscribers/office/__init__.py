"""The desk's pages of subscribers: figures, one phone, lists that come in, numbers that go out."""
