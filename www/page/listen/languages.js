// Codes of the languages that can be chosen for a recording: those that Whisper was trained on most.

export const LANGUAGES = 'ar ca cs da de el en es fa fi fr he hi hr hu id it ja ko ms nl no pl pt ro ru sk sv ta th tr uk ur vi zh'.split(' ');
