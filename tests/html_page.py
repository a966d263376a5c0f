"""A page of HTML, read for the tests of reports."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page holds: its tags, its attributes as (tag, name, value), and its words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *one) for one in attrs]

    def handle_data(self, data):
        self.words.append(data)
