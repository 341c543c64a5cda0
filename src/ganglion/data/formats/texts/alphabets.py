"""Which letters are common in texts of each encoding, as far as telling encodings apart needs it."""

from dataclasses import dataclass
from functools import cache

CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"
WESTERN = "éäöüàèáñçóêíßåøãæâôúëîùûœïõÿð"
CENTRAL = "ąęćłńóśźżáčéěíňřšťúůýžőűöüôäăâîşţđ"
TURKISH = "ıüşğçöİâîûé"
GREEK = "αοιετσνηυρπκμλςωδγχθφβξζψάέήίόύώϊϋΐΰ"
HEBREW = "יוהלאמרתשבנדעםקחפכטסגןצזךףץ"
ARABIC = "اليمنوترةبعدسفهكقحجشصخطذزضثغئءأإآىؤظ،؟"
THAI = "านรกเงอ่ยลมดทส้วีตะปไค์ัขิจชพใหแบถ็ื็ุูโณศซึผฉธำคภญฟฝฐฏฎฑฒฌฮษฬ"
SIGNS = "°£€’“”–—…«»§·×²³½ªº©®±µ‘•„¼¾¿¡¥¢™\xa0"
SIMPLIFIED = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方"
    "后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开"
    "它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此"
    "变条只没结解问意建月公无系很情者最立代想已通并提直题程展五果料象员位入常文总次品式活设及管特件长求老头基资"
    "边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处世差评喜欢"
)
TRADITIONAL = (
    "的一是在不了有和人這中大為上個國我以要他時來用們生到作地於出就分對成會可主發年動同工也能下過子說產種面而方"
    "後多定行學法所民得經十三之進著等部度家電力裡如水化高自二理起小物現實加量都兩體制機當使點從業本去把性好應開"
    "它合還因由其些然前外天政四日那社義事平形相全表間樣與關各重新線內數正心反你明看原又麼利比或但質氣第向道命此"
    "變條只沒結解問意建月公無系很情者最立代想已通並提直題程展五果料象員位入常文總次品式活設及管特件長求老頭基資"
)
KANJI = (
    "日一国人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千"
    "水半男西電校語土木聞食車何南万毎白天母火右読友左休父雨良映画名前都市会社新店員質品"
)
HIRAGANA = "".join(map(chr, range(0x3041, 0x3094)))
KATAKANA = "".join(map(chr, range(0x30A1, 0x30F7)))
HALF_WIDTH = "".join(map(chr, range(0xFF61, 0xFFA0)))
HANGUL = (
    "이다는에고을의가지로사한하기도를리해어자인정서스대은시나아보부그있과일만으수것요들게면라무제주세상소전여지오"
    "니우마장구비치거조화동안영미트원신유적국성경문모공학말생재내좋별정름김박최"
)
CAPITALS = 0.3
"""How likely a capital is beside its small letter; they come in rows, in headers and names."""
MARKS = "，。！？、：；“”（）《》…—·「」『』　〜ー・"
"""Punctuation of East Asia."""


@dataclass(frozen=True)
class Alphabet:
    """The letters of an encoding."""

    common: str
    """Those of most of its texts, each once."""
    block: tuple[int, int, int, int] | None = None
    """Lead bytes from and to, and trail bytes from and to, of a first rank of characters; None for single bytes."""
    latin: bool = False
    """Whether its letters stand between plain ones."""
    prior: float = 0.0
    """How much commoner its files are, as a logarithm."""
    name: str = ""

    def tiers(self) -> list[tuple[str, float]]:
        """Return groups of letters and the share of a text that each makes up."""
        if self.block is not None:
            tiers = [(self.common, 0.55), (MARKS, 0.12), (_block(self.name, self.block), 0.32)]
            return [*tiers, (HALF_WIDTH, 0.05)] if self.common.startswith(HIRAGANA) else tiers
        if self.latin:
            return [
                (self.common[:14], 0.6),
                (self.common[14:], 0.25),
                (SIGNS, 0.08),
                (self.common.upper().replace("S", "ß"), 0.06),
            ]
        third = max(1, len(self.common) // 3)
        ranks = (self.common[:third], self.common[third : 2 * third], self.common[2 * third :])
        tiers = [(letters, share) for letters, share in zip(ranks, (0.63, 0.26, 0.08), strict=True)]
        upper = [(letters.upper(), CAPITALS * share) for letters, share in tiers if letters.upper() != letters]
        return [*tiers, *upper, (SIGNS, 0.02)]


@cache
def _block(name: str, block: tuple[int, int, int, int]) -> str:
    first, last, low, high = block
    pairs = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in range(low, high + 1))
    return "".join(pair.decode(name, "ignore") for pair in pairs)


ALPHABETS: dict[str, Alphabet] = {
    "cp1252": Alphabet(WESTERN, latin=True, prior=6.0),
    "cp1251": Alphabet(CYRILLIC, prior=3.0),
    "gb18030": Alphabet(SIMPLIFIED, (0xB0, 0xD7, 0xA1, 0xFE), prior=3.0, name="gb18030"),
    "cp932": Alphabet(HIRAGANA + KATAKANA + KANJI, (0x88, 0x97, 0x40, 0xFC), prior=2.0, name="cp932"),
    "latin-1": Alphabet(WESTERN, latin=True),
    "cp1250": Alphabet(CENTRAL, latin=True, prior=1.0),
    "iso8859_2": Alphabet(CENTRAL, latin=True),
    "cp1254": Alphabet(TURKISH, latin=True),
    "koi8_r": Alphabet(CYRILLIC),
    "euc_jp": Alphabet(HIRAGANA + KATAKANA + KANJI, (0xB0, 0xCF, 0xA1, 0xFE), name="euc_jp"),
    "cp949": Alphabet(HANGUL, (0xB0, 0xC8, 0xA1, 0xFE), prior=1.0, name="cp949"),
    "big5": Alphabet(TRADITIONAL, (0xA4, 0xC6, 0x40, 0xFE), prior=1.0, name="big5"),
    "cp1253": Alphabet(GREEK),
    "cp1255": Alphabet(HEBREW),
    "cp1256": Alphabet(ARABIC),
    "cp874": Alphabet(THAI),
    "cp850": Alphabet(WESTERN, latin=True, prior=-3.0),
    "cp852": Alphabet(CENTRAL, latin=True, prior=-3.0),
    "cp866": Alphabet(CYRILLIC, prior=-3.0),
    "mac_roman": Alphabet(WESTERN, latin=True, prior=-4.0),
}
"""The encodings that a guess chooses from, UTF-8 and UTF-16 aside, the commonest first."""
