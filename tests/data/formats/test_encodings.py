"""Encodings are told apart by what the bytes would say; what cannot be told is said to be doubtful, or refused."""

import pytest

from ganglion.data.formats.texts.encodings import decode_text, find_encoding
from ganglion.errors import DataError, UsageError

TEXTS = {
    "cp1252": (
        "name,city\nJosé,Málaga\nRené,Paris\nBob,London\n",
        "naam;prijs\nÉén;1,5\nTwee;2,5\n",
        "Müller;1,5\nSchäfer;2,5\nWeiß;3\n",
        "El niño comió piñas en la montaña mañana.\n",
        "price,y\n£5,1\n£10,0\n",
        "temp\n20°C\n21°C\n",
        "text,label\nIt’s “fine” – really,pos\n",
        "São João,Brasília\n",
        "PRÄSIDENT MÜLLER\n",
        "café\n",
    ),
    "cp1251": (
        "Это был очень хороший фильм, мне понравилось.\n",
        "имя,город\nИван,Москва\n",
        "ИВАНОВ ИВАН\n",
        "руб.\n",
    ),
    "koi8-r": ("Это был очень хороший фильм, мне понравилось.\n",),
    "cp1250": ("Zażółć gęślą jaźń. Łódź, święto, źrebię.\n", "Příliš žluťoučký kůň úpěl ďábelské ódy\n"),
    "gb18030": (
        "城市,人口\n北京,2154\n上海,2424\n",
        "name,city\nLi,北京\nWu,上海\n",
        "这家餐厅很好,好评\n",
        "男\n女\n",
    ),
    "cp932": ("この映画はとても良かったです。\n", "名前,都市\n田中,東京\n", "ｱｲｳｴｵ,カタカナ\n", "はい\n"),
    "euc-jp": ("この映画はとても良かったです。\n",),
    "cp949": ("이 영화는 정말 좋았어요.\n", "이름,도시\n김,서울\n"),
    "big5": ("這部電影非常好看，值得推薦。\n",),
    "cp1253": ("Αυτή η ταινία ήταν πολύ καλή\n",),
    "cp1255": ("הסרט הזה היה ממש טוב\n",),
    "cp1256": ("كان هذا الفيلم جيدا جدا\n",),
    "cp874": ("อาหารอร่อยมากครับ บริการดีมาก\n",),
    "iso8859-2": ("Zażółć gęślą jaźń. Łódź, święto, źrebię.\n", "miasto;cena\nŁódź;5\nWąwóz;6\n"),
    "cp1254": ("Bu film çok güzeldi, ışık şahane.\n", "şehir;fiyat\nİzmir;5\nDiyarbakır;6\nMuğla;7\n"),
    "cp850": ("Müller;1,5\nSchäfer;2,5\n", "Größe;Maß\nschön;2\n", "El niño comió piñas.\n"),
    "cp852": ("Příliš žluťoučký kůň úpěl ďábelské ódy\n",),
    "cp866": ("Это был очень хороший фильм, мне понравилось.\n", "имя,город\nИван,Москва\n"),
    "mac-roman": ("Müller;1,5\nSchäfer;2,5\nWeiß;3\n", "El niño comió piñas en la montaña mañana.\n"),
    "iso2022_jp": ("この映画はとても良かったです。\n", "名前,都市\n田中,東京\n"),
    "utf-8": ("好 é Ж\n", "plain\n"),
    "utf-8-sig": ("好 é Ж\n",),
    "utf-16": ("好 é Ж\n",),
    "utf-16-le": ("name,city\nJosé,北京\n",),
    "utf-16-be": ("name,city\nJosé,北京\n",),
    "utf-32": ("好 é Ж\n",),
}


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_a_text_is_read_in_its_encoding(tmp_path, encoding, text):
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    read, found = decode_text(path)
    assert read == text
    assert bool(found.reason) is not encoding.startswith(("utf", "iso2022"))  # a guess is said
    assert decode_text(path, asked=encoding)[0] == text


def test_a_guess_looks_at_every_line_with_letters_beyond_ascii(tmp_path):
    path = tmp_path / "late.txt"
    path.write_bytes(b"plain\n" * 400_000 + "Это был очень хороший фильм".encode("cp1251"))
    assert find_encoding(path).name == "cp1251"


def test_what_could_be_two_encodings_is_said(tmp_path):
    path = tmp_path / "short.csv"
    path.write_bytes("a\nДа\n".encode("cp1251"))
    reason = find_encoding(path).reason
    assert "could be" in reason and "cp1251" in reason and "--encoding" in reason


def test_broken_utf_8_is_not_read_as_something_else(tmp_path):
    path = tmp_path / "broken.txt"
    path.write_bytes("schöne Größe für Zoë\n".encode() * 5 + b"caf\xc3\n")
    with pytest.raises(DataError, match="UTF-8 with broken bytes") as caught:
        find_encoding(path)
    assert "line 6" in caught.value.where


def test_an_encoding_that_was_asked_for_must_fit(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("a\nschön\n".encode("cp1252"))
    with pytest.raises(DataError, match="not utf-8") as caught:
        find_encoding(path, asked="utf-8")
    assert "line 2" in caught.value.where
    for strange in ("klingon", "base64"):
        with pytest.raises(UsageError, match="no such encoding"):
            find_encoding(path, asked=strange)
