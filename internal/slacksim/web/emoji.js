// Slack sends emoji as :short_names:; this is the table of those an operations channel meets.

const TABLE = `
rotating_light 🚨|warning ⚠️|fire 🔥|boom 💥|zap ⚡|sos 🆘|no_entry ⛔|no_entry_sign 🚫|octagonal_sign 🛑|stop_sign 🛑|construction 🚧|bell 🔔|no_bell 🔕
white_check_mark ✅|heavy_check_mark ✔️|ballot_box_with_check ☑️|x ❌|negative_squared_cross_mark ❎|heavy_multiplication_x ✖️|heavy_plus_sign ➕|heavy_minus_sign ➖|question ❓|grey_question ❔|exclamation ❗|grey_exclamation ❕|bangbang ‼️
red_circle 🔴|large_orange_circle 🟠|large_yellow_circle 🟡|large_green_circle 🟢|large_blue_circle 🔵|large_purple_circle 🟣|large_brown_circle 🟤|black_circle ⚫|white_circle ⚪|radio_button 🔘|large_red_square 🟥|large_orange_square 🟧|large_yellow_square 🟨|large_green_square 🟩|large_blue_square 🟦|black_large_square ⬛|white_large_square ⬜|small_red_triangle 🔺|small_red_triangle_down 🔻|small_blue_diamond 🔹|small_orange_diamond 🔸|large_blue_diamond 🔷|large_orange_diamond 🔶
hourglass ⌛|hourglass_flowing_sand ⏳|clock ⏰|alarm_clock ⏰|stopwatch ⏱️|timer_clock ⏲️|watch ⌚|clock1 🕐|clock3 🕒|clock12 🕛|calendar 📆|date 📅|spiral_calendar_pad 🗓️
arrows_counterclockwise 🔄|arrows_clockwise 🔃|repeat 🔁|repeat_one 🔂|arrow_right ➡️|arrow_left ⬅️|arrow_up ⬆️|arrow_down ⬇️|arrow_forward ▶️|arrow_backward ◀️|leftwards_arrow_with_hook ↩️|arrow_right_hook ↪️|fast_forward ⏩|rewind ⏪|double_vertical_bar ⏸️|pause_button ⏸️|black_square_for_stop ⏹️|stop_button ⏹️|play_or_pause_button ⏯️|black_right_pointing_triangle_with_double_vertical_bar ⏯️|next_track_button ⏭️
memo 📝|pencil 📝|pencil2 ✏️|page_facing_up 📄|page_with_curl 📃|scroll 📜|bookmark_tabs 📑|bookmark 🔖|clipboard 📋|book 📖|books 📚|closed_book 📕|green_book 📗|notebook 📓|open_file_folder 📂|file_folder 📁|card_index_dividers 🗂️|paperclip 📎|pushpin 📌|round_pushpin 📍|label 🏷️|link 🔗|inbox_tray 📥|outbox_tray 📤|package 📦|envelope ✉️|email 📧|mailbox 📫|receipt 🧾|floppy_disk 💾|wastebasket 🗑️
bar_chart 📊|chart_with_upwards_trend 📈|chart_with_downwards_trend 📉|chart 💹|abacus 🧮|straight_ruler 📏
mag 🔍|mag_right 🔎|eyes 👀|eye 👁️|microscope 🔬|telescope 🔭|stethoscope 🩺|adhesive_bandage 🩹|pill 💊|ambulance 🚑|hospital 🏥|thermometer 🌡️
lock 🔒|unlock 🔓|closed_lock_with_key 🔐|lock_with_ink_pen 🔏|key 🔑|old_key 🗝️|shield 🛡️|ticket 🎫|police_car 🚓
hammer 🔨|wrench 🔧|hammer_and_wrench 🛠️|nut_and_bolt 🔩|gear ⚙️|toolbox 🧰|electric_plug 🔌|battery 🔋|bulb 💡|satellite_antenna 📡|computer 💻|desktop_computer 🖥️|keyboard ⌨️|iphone 📱|pager 📟|telephone_receiver 📞|file_cabinet 🗄️|broom 🧹|magnet 🧲|test_tube 🧪|fire_extinguisher 🧯|ladder 🪜|brick 🧱|bricks 🧱
bust_in_silhouette 👤|busts_in_silhouette 👥|raised_hand ✋|hand ✋|wave 👋|+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|ok_hand 👌|clap 👏|pray 🙏|muscle 💪|point_right 👉|point_left 👈|point_up ☝️|point_down 👇|handshake 🤝|raised_hands 🙌|v ✌️|crossed_fingers 🤞|writing_hand ✍️|technologist 🧑‍💻|firefighter 🧑‍🚒|detective 🕵️|ok 🆗|new 🆕
robot_face 🤖|ghost 👻|skull 💀|bug 🐛|snail 🐌|turtle 🐢|elephant 🐘|rocket 🚀|tada 🎉|sparkles ✨|star ⭐|star2 🌟|trophy 🏆|100 💯|heart ❤️|green_heart 💚|blue_heart 💙|broken_heart 💔|coffee ☕|pizza 🍕|crown 👑|checkered_flag 🏁|triangular_flag_on_post 🚩|dart 🎯|joy 😂|smile 😄|slightly_smiling_face 🙂|grinning 😀|wink 😉|sweat_smile 😅|sob 😭|cry 😢|thinking_face 🤔|neutral_face 😐|expressionless 😑|confused 😕|worried 😟|fearful 😨|scream 😱|rage 😡|sleeping 😴|zzz 💤|sunglasses 😎|nerd_face 🤓|shrug 🤷|facepalm 🤦|partying_face 🥳|melting_face 🫠|saluting_face 🫡|see_no_evil 🙈
sunny ☀️|cloud ☁️|thunder_cloud_and_rain ⛈️|snowflake ❄️|rainbow 🌈|ocean 🌊|droplet 💧|potable_water 🚰|wind_blowing_face 🌬️|earth_africa 🌍|earth_americas 🌎|globe_with_meridians 🌐|crescent_moon 🌙|seedling 🌱|evergreen_tree 🌲
information_source ℹ️|recycle ♻️|infinity ♾️|hash #️⃣|asterisk *️⃣|zero 0️⃣|one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|keycap_ten 🔟|left_speech_bubble 🗨️|speech_balloon 💬|thought_balloon 💭|loudspeaker 📢|mega 📣|mute 🔇|speaker 🔈|money_with_wings 💸|dollar 💵|scales ⚖️|compass 🧭|world_map 🗺️|anchor ⚓|parachute 🪂|traffic_light 🚦|vertical_traffic_light 🚥|railway_track 🛤️|sleuth_or_spy 🕵️`;

const NAMES = new Map(
  TABLE.trim()
    .split(/[|\n]/)
    .map((row) => row.trim())
    .filter(Boolean)
    .map((row) => [row.slice(0, row.indexOf(' ')), row.slice(row.indexOf(' ') + 1)]),
);

const TONES = ['', '', '\u{1F3FB}', '\u{1F3FC}', '\u{1F3FD}', '\u{1F3FE}', '\u{1F3FF}'];

/** QUICK are the reactions offered by the picker, in order. */
export const QUICK = ['+1', 'eyes', 'white_check_mark', 'raised_hand', 'memo', 'tada', 'pray', 'thinking_face', 'rotating_light', 'x', 'heart', 'rocket'];

/** glyph returns the character of a short name (`+1`, `wave::skin-tone-3`), or null when it is not in the table. */
export function glyph(name) {
  const [base, tone] = String(name).split('::skin-tone-');
  const found = NAMES.get(base);
  if (!found) return null;
  return found + (TONES[Number(tone)] ?? '');
}

/** names lists every short name the table knows. */
export function names() {
  return [...NAMES.keys()];
}
