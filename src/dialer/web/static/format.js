// Times, durations and numbers as a person reads them: local time, with its zone named.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const locale = "en-GB";
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(locale, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat(locale, {
  dateStyle: "full",
  timeStyle: "long",
});
const counts = new Intl.NumberFormat(locale);
const decimals = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });

export const zoneName = zone;

/** Return the zone with its offset from UTC now: Europe/Berlin (UTC+1). */
export function zoneLine(now = new Date()) {
  const parts = new Intl.DateTimeFormat(locale, { timeZoneName: "shortOffset" }).formatToParts(now);
  const offset = parts.find((part) => part.type === "timeZoneName").value.replace("GMT", "UTC");
  return zone === offset ? zone : `${zone} (${offset})`;
}

/** Return a day and time, without the year where it is this one's. */
export function dateTime(text) {
  const at = new Date(text);
  const same = at.getFullYear() === new Date().getFullYear();
  return `${(same ? day : dayOfYear).format(at)}, ${clock.format(at)}`;
}

export const date = (text) => dayOfYear.format(new Date(text));
export const time = (text) => clock.format(new Date(text));
export const exactTime = (text) => exact.format(new Date(text));
export const wholeTime = (text) => whole.format(new Date(text));

/** Return seconds as 0.4 s, 12 s, 3 min 20 s or 2 h 5 min. */
export function duration(seconds) {
  if (seconds < 10) return `${decimals.format(seconds)} s`;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const minutes = Math.floor(rounded / 60);
  if (minutes < 60) return rounded % 60 ? `${minutes} min ${rounded % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${count(hours)} h ${minutes % 60} min` : `${count(hours)} h`;
}

export const count = (number) => counts.format(number);
export const decimal = (number) => decimals.format(number);

/** Return a count with its noun in the right form. */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Return a share between 0 and 1 in per cent; a dash where there was nothing to divide. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const hundredths = share * 100;
  if (hundredths > 0 && hundredths < 1) return "<1 %";
  if (hundredths > 99 && hundredths < 100) return ">99 %";
  return `${Math.round(hundredths)} %`;
}
